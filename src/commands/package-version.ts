/** Put in by scripts/build-js.mjs from package.json. */
declare const KEELBOX_VERSION: string;

export const packageVersion = KEELBOX_VERSION;
