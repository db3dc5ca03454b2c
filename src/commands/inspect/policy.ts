/** `on-failure:3` as docker's `RestartPolicy`. */
export function policyOf(words: string): {Name: string; MaximumRetryCount: number} {
  const [name = '', count = '0'] = words.split(':');
  return {Name: name || 'no', MaximumRetryCount: Number(count)};
}
