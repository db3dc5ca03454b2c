/**
 * Every error code there is. A code is stable and never reused; `keelbox explain CODE` has a page for each, and the
 * engine's list (crates/spec) is held to this one by the native-shapes spec.
 */
export const errorCodes = [
  'ERR_KEELBOX_EXIT',
  'ERR_KEELBOX_TIMEOUT',
  'ERR_KEELBOX_OOM',
  'ERR_KEELBOX_NOT_FOUND',
  'ERR_KEELBOX_AMBIGUOUS_ID',
  'ERR_KEELBOX_NAME_TAKEN',
  'ERR_KEELBOX_COMMAND_NOT_FOUND',
  'ERR_KEELBOX_NOT_EXECUTABLE',
  'ERR_KEELBOX_IMAGE_NOT_FOUND',
  'ERR_KEELBOX_REGISTRY',
  'ERR_KEELBOX_AUTH',
  'ERR_KEELBOX_KERNEL',
  'ERR_KEELBOX_CGROUP',
  'ERR_KEELBOX_USERNS',
  'ERR_KEELBOX_PERMISSION',
  'ERR_KEELBOX_PLATFORM',
  'ERR_KEELBOX_INVALID_ARG',
  'ERR_KEELBOX_USAGE',
  'ERR_KEELBOX_NOT_YET',
  'ERR_KEELBOX_MOUNT',
  'ERR_KEELBOX_ROOTFS',
  'ERR_KEELBOX_BINARY',
  'ERR_KEELBOX_USER',
  'ERR_KEELBOX_STORE',
  'ERR_KEELBOX_RUNTIME',
  'ERR_KEELBOX_INTERNAL',
  'ERR_KEELBOX_MAX_BUFFER',
  'ERR_KEELBOX_STDIO',
  'ERR_KEELBOX_LOST',
] as const;

export type KeelboxCode = (typeof errorCodes)[number];
