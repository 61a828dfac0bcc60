import 'swagger-ui-dist/swagger-ui.css';
import './reader.css';
import SwaggerUI from 'swagger-ui-dist/swagger-ui-es-bundle.js';

export function show(domNode: Element, url: string, onComplete: () => void): void {
  SwaggerUI({
    url,
    domNode,
    onComplete,
    deepLinking: true,
    docExpansion: 'list',
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    filter: true,
    // Keys are secrets: they live as long as the page and are stored nowhere.
    persistAuthorization: false,
    // The validator is a service of another host.
    validatorUrl: null,
  });
}
