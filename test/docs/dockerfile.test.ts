import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { readDocument } from './markdown.ts';

const dockerfile = readDocument('Dockerfile');

it('runs on the Node major that every npm script runs on', () => {
  const images = Array.from(dockerfile.matchAll(/^FROM (\S+)/gm), ([, image]) => image);
  const { devDependencies, engines } = JSON.parse(readDocument('package.json'));
  const [major] = String(devDependencies.node).split('.');
  expect(images).toEqual([`node:${major}-slim`, `node:${major}-slim`]);
  expect(Number(major)).toBeGreaterThanOrEqual(Number(/\d+/.exec(engines.node)?.[0]));
});

it('starts the worker by default, as a user without rights', () => {
  expect(dockerfile).toContain('\nUSER node\n');
  expect(dockerfile).toContain('\nENTRYPOINT ["node", "dist/cli.js"]\nCMD ["worker"]\n');
});

it('copies only what .dockerignore lets through', () => {
  const letThrough = readDocument('.dockerignore')
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1));
  const copied = Array.from(dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm), ([, files = '']) => files.split(' '));
  expect(new Set(copied.flat())).toEqual(new Set(letThrough));
});

it.each([
  { answers: 200, code: 0 },
  { answers: 503, code: 1 },
  { answers: undefined, code: 1 },
])('has a health check that ends with $code where /healthz answers $answers', async ({ answers, code }) => {
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    response.writeHead(answers ?? 500, { connection: 'close' }).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  if (answers === undefined) server.close();
  try {
    const [command, ...args] = JSON.parse(/HEALTHCHECK [\s\S]*?CMD (\[.*\])/.exec(dockerfile)?.[1] ?? '') as string[];
    expect(command).toBe('node');
    const check = spawn(process.execPath, args, { env: { HTTP_PORT: String(port) }, stdio: 'ignore' });
    expect(await once(check, 'exit')).toEqual([code, null]);
    expect(asked).toEqual(answers === undefined ? [] : ['/healthz']);
  } finally {
    server.close();
  }
});
