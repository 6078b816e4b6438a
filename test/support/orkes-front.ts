import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** What Orkes' Conductor has and the open-source one has not: authentication, and `createdBy` on workflows. */
export interface OrkesFront {
  readonly url: string;
  readonly keyId: string;
  readonly keySecret: string;
  /** Who is said to have started the workflows of this name. */
  createdBy(workflowName: string, user: string): void;
  /** Every token given so far stops working. */
  revokeTokens(): void;
  /** How many tokens were given, and how many calls came without a good one. */
  readonly counts: { tokens: number; refused: number };
  close(): Promise<void>;
}

/** A server in front of a real open-source Conductor that asks for a token, and tells who started a workflow. */
export async function startOrkesFront(conductorUrl: string): Promise<OrkesFront> {
  const keyId = 'orkes-front-key';
  const keySecret = randomBytes(12).toString('hex');
  const tokens = new Set<string>();
  const creators = new Map<string, string>();
  const counts = { tokens: 0, refused: 0 };

  const server = createServer(async (request, response) => {
    const answer = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    const body = await buffer(request);
    const path = request.url ?? '/';
    if (path === '/api/token') {
      const given = JSON.parse(body.toString()) as { keyId?: string; keySecret?: string };
      if (given.keyId !== keyId || given.keySecret !== keySecret)
        return answer(401, { message: 'wrong key', error: 'INVALID_TOKEN' });
      const token = randomBytes(8).toString('hex');
      tokens.add(token);
      counts.tokens += 1;
      return answer(200, { token });
    }
    if (!tokens.has(String(request.headers['x-authorization']))) {
      counts.refused += 1;
      return answer(401, { message: 'Token expired', error: 'EXPIRED_TOKEN' });
    }
    const upstream = await fetch(`${conductorUrl}${path}`, {
      method: request.method ?? 'GET',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: body.length === 0 ? null : body,
    });
    const text = await upstream.text();
    response.writeHead(upstream.status, { 'content-type': upstream.headers.get('content-type') ?? 'text/plain' });
    if (!/^\/api\/workflow\/[^/]+\?/.test(path) || !upstream.ok) return void response.end(text);
    const workflow = JSON.parse(text) as { workflowName: string };
    response.end(JSON.stringify({ ...workflow, createdBy: creators.get(workflow.workflowName) }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    keyId,
    keySecret,
    counts,
    createdBy: (workflowName, user) => void creators.set(workflowName, user),
    revokeTokens: () => tokens.clear(),
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
