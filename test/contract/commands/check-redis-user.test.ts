import { expect, it } from 'vitest';
import { install } from './installation.ts';

it('check warns of a Redis elsewhere that lets everybody in, and not of this machine’s', async () => {
  await using here = await install();
  const found = async (env: NodeJS.ProcessEnv) => {
    const { stdout } = await here.run(['check', '--offline', '--output', 'json'], env);
    return (JSON.parse(stdout) as { findings: { field: string; message: string }[] }).findings;
  };
  // Leads to this machine, too, and does not say so.
  const elsewhere = { REDIS_URL: (here.env['REDIS_URL'] ?? '').replace('127.0.0.1', '0.0.0.0') };
  expect((await found(elsewhere)).find(({ field }) => field === 'REDIS_URL')?.message).toContain('bedrock-cohere acl');
  expect((await found({})).map(({ field }) => field)).not.toContain('REDIS_URL');
});
