import './brand.css';
import mark from './mark.svg';

export function Brand({ title }: { readonly title: string }) {
  return (
    <header className="brand">
      <img src={mark} alt="" width="30" height="30" />
      <h1>{title}</h1>
    </header>
  );
}
