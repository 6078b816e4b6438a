import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

/** Runs a program at the repository's root to its end; `timeoutMs` ends it by SIGTERM. */
export async function runToEnd(file: string, args: readonly string[], env: NodeJS.ProcessEnv, timeoutMs: number) {
  const child = spawn(file, args, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs });
  const ended = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, stdout, stderr };
}
