export function Trouble({ text }: { readonly text: string }) {
  return (
    <p className="form-trouble" role="alert" data-testid="trouble" hidden={!text}>
      {text}
    </p>
  );
}
