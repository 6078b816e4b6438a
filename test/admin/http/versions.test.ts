import { createHash } from 'node:crypto';
import { type FastifyInstance, fastify } from 'fastify';
import { describe, expect, it } from 'vitest';
import { sendProblem } from '../../../src/admin/http/problem.ts';
import { demandVersion, tellVersion, useVersions } from '../../../src/admin/http/versions.ts';
import { parseKeyring } from '../../../src/secrets/keyring.ts';
import { encryptionKeys } from '../../support/encryption-keys.ts';

const RAW = '{"configuration":{"awsAccountId":"111122223333"}}';

async function served(keys: string): Promise<FastifyInstance> {
  const app = fastify();
  useVersions(app, parseKeyring(keys));
  app.setErrorHandler((error, request, reply) => sendProblem(request, reply, error));
  app.get('/', async (request, reply) => {
    demandVersion(request, RAW);
    tellVersion(reply, RAW);
    return 'here';
  });
  return app;
}

const versionBy = async (keys: string): Promise<string> =>
  String((await (await served(keys)).inject({ url: '/' })).headers['etag']);

describe("a record's version", () => {
  it('is the same on every replica with the same keys, and another by another newest key', async () => {
    const version = await versionBy(encryptionKeys('a'));
    expect(version).toMatch(/^"[\w-]{22}"$/);
    expect(await versionBy(encryptionKeys('a', 'older'))).toBe(version);
    expect(await versionBy(encryptionKeys('b', 'a'))).not.toBe(version);
  });

  it('is nothing that somebody could compute who guesses what is masked', async () => {
    const version = await versionBy(encryptionKeys('a'));
    for (const algorithm of ['sha256', 'sha1', 'md5']) {
      const guess = createHash(algorithm).update(RAW).digest('base64url');
      expect(version).not.toContain(guess.slice(0, 22));
    }
  });

  it.each([
    ['the version', (version: string) => version, 200],
    ['one of several', (version: string) => `"x", ${version}`, 200],
    ['any', () => '*', 200],
    ['another', () => '"AAAAAAAAAAAAAAAAAAAAAA"', 412],
    ['the version as a weak one', (version: string) => `W/${version}`, 412],
  ])('is asked for by If-Match: %s', async (_, header, status) => {
    const app = await served(encryptionKeys('a'));
    const ifMatch = header(await versionBy(encryptionKeys('a')));
    expect((await app.inject({ url: '/', headers: { 'if-match': ifMatch } })).statusCode).toBe(status);
  });
});
