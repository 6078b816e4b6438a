import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runToEnd, startProcess, waitUntilReady } from '../../devservers/processes.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'processes-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function shell(script: string) {
  return startProcess({ name: 'Shell', command: 'sh', args: ['-c', script], logFile: join(folder, 'shell.log') });
}

it('keeps what a process prints and tells how it ended', async () => {
  const child = await shell('echo one; echo two >&2; exit 3');
  expect(await child.exited).toEqual({ code: 3, signal: null });
  expect(child.tail()).toBe('one\ntwo');
  expect(child.tail(1)).toBe('two');
});

it('stops by SIGTERM, and by force what does not heed it', async () => {
  const heeding = await shell('exec sleep 60');
  expect(await heeding.stop()).toEqual({ code: null, signal: 'SIGTERM' });
  const stubborn = await shell('trap "" TERM; echo deaf; while :; do sleep 0.05; done');
  await waitUntilReady(stubborn, async () => stubborn.tail() === 'deaf', { timeoutMs: 5_000, everyMs: 10 });
  expect(await stubborn.stop(100)).toEqual({ code: null, signal: 'SIGKILL' });
  expect(await stubborn.stop()).toEqual({ code: null, signal: 'SIGKILL' });
});

it('says where the log is when a server ends before it is ready', async () => {
  const child = await shell('exit 7');
  const waiting = waitUntilReady(child, async () => false, { timeoutMs: 5_000, everyMs: 10 });
  await expect(waiting).rejects.toThrow(`Shell ended at once (exit code 7): see its log ${join(folder, 'shell.log')}`);
});

it('gives up when a server is not ready in time', async () => {
  const child = await shell('exec sleep 60');
  const waiting = waitUntilReady(child, async () => false, { timeoutMs: 50, everyMs: 10 });
  await expect(waiting).rejects.toThrow('Shell was not ready after 0.05 s');
  await child.stop();
});

it('says what cannot be started', async () => {
  await expect(runToEnd('sh', ['-c', 'echo broken >&2; exit 2'])).rejects.toThrow('sh ended with exit code 2: broken');
  expect(await runToEnd('sh', ['-c', 'echo fine'])).toBe('fine\n');
});
