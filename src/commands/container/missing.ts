/** Whether an error says that there is no such thing. By its code: the addon's errors are plain ones. */
export function isNotFound(error: unknown): boolean {
  return (error as {code?: unknown} | null)?.code === 'ERR_KEELBOX_NOT_FOUND';
}
