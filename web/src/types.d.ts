declare module '@livekit/components-styles/components/participant';

declare module 'swagger-ui-dist/swagger-ui-es-bundle.js' {
  interface Options {
    readonly url: string;
    readonly domNode: Element;
    readonly deepLinking?: boolean;
    readonly docExpansion?: 'none' | 'list' | 'full';
    readonly defaultModelsExpandDepth?: number;
    readonly displayRequestDuration?: boolean;
    readonly filter?: boolean;
    readonly persistAuthorization?: boolean;
    readonly tryItOutEnabled?: boolean;
    readonly validatorUrl?: null;
    readonly onComplete?: () => void;
  }
  export default function SwaggerUI(options: Options): unknown;
}
