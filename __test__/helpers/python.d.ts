/** Specs are bundled with the text of the Python files that they import. */
declare module '*.py' {
  const source: string;
  export default source;
}
