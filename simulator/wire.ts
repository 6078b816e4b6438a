/** Requests in and answers out over node:http. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ReceivedRequest } from './signature.ts';

/** Bedrock's maximum of a body in bytes (InvokeModel), which is larger than any of STS. */
export const BODY_LIMIT = 25_000_000;

/** Reads a whole request; a body is cut one byte past the limit. Undefined when the caller went away. */
export async function readRequest(incoming: IncomingMessage): Promise<ReceivedRequest | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of incoming) {
      if (bytes <= BODY_LIMIT) chunks.push(chunk);
      bytes += chunk.length;
    }
  } catch {
    return undefined;
  }
  const target = incoming.url ?? '/';
  const question = target.indexOf('?');
  const headers = Object.entries(incoming.headers).map(([name, value]) => [name, [value ?? ''].flat().join(',')]);
  return {
    method: incoming.method ?? 'GET',
    path: question < 0 ? target : target.slice(0, question),
    query: question < 0 ? '' : target.slice(question + 1),
    headers: Object.fromEntries(headers),
    body: Buffer.concat(chunks),
  };
}

export function sendJson(outgoing: ServerResponse, status: number, body: unknown): void {
  send(outgoing, status, { 'content-type': 'application/json' }, JSON.stringify(body));
}

export function send(
  outgoing: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string,
): void {
  outgoing.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
  outgoing.end(body);
}
