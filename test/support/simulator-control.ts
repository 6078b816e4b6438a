/** Calls `POST` (or another method) `/_control/NAME` of a simulator that runs in a process of its own; answers its JSON. */
export async function controlSimulator(
  url: string,
  name: string,
  body: unknown = {},
  method = 'POST',
): Promise<unknown> {
  const response = await fetch(`${url}/_control/${name}`, {
    method,
    ...(method === 'GET' ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`The simulator answered ${response.status} to ${name}: ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}
