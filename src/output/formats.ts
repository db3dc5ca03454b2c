/** Templates and filters are loaded when they are used: a plain list must not wait for them. */
export const formats = (): typeof import('./format') => require('./cli-format.cjs');
