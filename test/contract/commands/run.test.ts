import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Server } from '../../../devservers/server.ts';
import { startSimulator } from '../../../devservers/simulator.ts';
import { HOSTED, INTEGRATION_CREDENTIALS } from '../../../simulator/known.ts';
import { runCli } from '../../support/cli.ts';
import { redisUrlAs } from '../../support/redis-user.ts';
import { controlSimulator } from '../../support/simulator-control.ts';
import { type Installation, install, resultOf, runOnTerminal, runWithInput } from './installation.ts';

const MODELS = {
  'bedrock:plain': { modelId: HOSTED.commandR, family: 'command-r' },
  'bedrock:named': { modelId: HOSTED.commandR, family: 'command-r', rawPrompts: false },
  'bedrock:one': { modelId: HOSTED.command, family: 'command', requestsPerMinute: 1 },
  'bedrock:chat': { modelId: HOSTED.chat, family: 'converse' },
  'bedrock:cohere.embed-v4:0': {},
} as const;

let simulator: Server;
let here: Installation;
beforeAll(async () => {
  simulator = await startSimulator();
  here = await install();
  await here.put('integrations', 'bedrock', {
    type: 'aws_bedrock_cohere',
    configuration: {
      ...{ connectionType: 'ACCESS_KEY', region: 'us-east-1' },
      ...{ user: INTEGRATION_CREDENTIALS.accessKeyId, api_key: 'env:BEDROCK_SECRET' },
    },
  });
  for (const [name, configuration] of Object.entries(MODELS)) await here.put('models', name, { configuration });
  await here.put('prompts', 'greet', {
    ...{ template: 'Greet ${who} in ${language}', integrations: ['bedrock:plain', 'bedrock:named'] },
    versions: { 2: { template: 'Hail ${who}' } },
  });
  await here.redis.hset(here.names.grants('USER:alice'), 'INTEGRATION:bedrock:plain', 'EXECUTE');
  // What workers tell of Redis after a moment, when it has been there for long.
  await here.redis.set(here.names.ledger.epoch, String(Date.now() - 3_600_000));
});
afterAll(async () => {
  await here?.[Symbol.asyncDispose]();
  await simulator?.stop();
});
beforeEach(async () => {
  await controlSimulator(simulator.url, 'reset');
  await controlSimulator(simulator.url, 'calls', undefined, 'DELETE');
});

const around = () => ({
  AWS_ENDPOINT_URL_BEDROCK_RUNTIME: simulator.url,
  BEDROCK_SECRET: INTEGRATION_CREDENTIALS.secretAccessKey,
});
const run = (...args: string[]) => here.run(['run', ...args], around());
const sent = async () =>
  (
    (await controlSimulator(simulator.url, 'calls', undefined, 'GET')) as {
      readonly calls: readonly { readonly body: Record<string, unknown> }[];
    }
  ).calls.map(({ body }) => body);
const usage = async () => await here.redis.hgetall(here.names.usage.totals(new Date().toISOString().slice(0, 10)));
const usageOf = async (subject: string) =>
  Object.keys(await here.redis.hgetall(here.names.usage.subjects(new Date().toISOString().slice(0, 10)))).filter(
    (field) => field.includes(subject),
  );

describe('run', () => {
  it('embeds a text, says how the numbers begin, and all of them as JSON: exit code 0', async () => {
    const { code, stdout, stderr } = await run('bedrock:cohere.embed-v4:0', '--text', 'The roof leaked');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^1536 numbers: (-?[\d.e-]+, ){5}…/);
    expect(stderr).toContain('Nobody was asked for');
    const json = await run('bedrock:cohere.embed-v4:0', '--text', 'The roof leaked', '--output', 'json');
    expect(resultOf<{ result: number[] }>(json).result).toHaveLength(1536);
  });

  it('says what the log of a task would say: slips of the hand, and an answer that is no JSON', async () => {
    const given = (args: readonly string[], input: object) =>
      runWithInput(['run', ...args, '--input', '-'], { ...here.env, ...around() }, JSON.stringify(input));
    const slip = { text: 'The roof leaked', dimension: 256 };
    const { code, stdout, stderr } = await given(['bedrock:cohere.embed-v4:0'], slip);
    expect([code, stdout.split('\n')[0]]).toEqual([0, expect.stringMatching(/^1536 numbers/)]);
    expect(stderr).toContain('The input "dimension" is not known and was not used. Did you mean "dimensions"?');
    const prose = { prompt: 'Say something', jsonOutput: true };
    const failed = await given(['bedrock:plain'], prose);
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain('OUTPUT_NOT_JSON');
    expect(failed.stderr).toContain('bedrock:plain answered: Simulated answer to: "Say something"');
    const missing = await given(['bedrock:plain', '--task-type', 'LLM_TEXT_COMPLETE'], { promt: 'x' });
    expect(missing.stderr).toContain('The input "promt" is not known and was not used. Did you mean "prompt"?');
  }, 60_000);

  it('completes a prompt, literal as long as no variable is given', async () => {
    const { code, stdout } = await run('bedrock:plain', '--prompt', 'Say ${word}');
    expect(code).toBe(0);
    expect(stdout).toContain('Say ${word}');
    expect(stdout).toMatch(/\n\nfinishReason STOP(, (prompt|completion) tokens \d+)*\n/);
    await run('bedrock:plain', '--prompt', 'Say ${word}', '--var', 'word=a=b ${x}');
    expect((await sent()).map(({ message }) => message)).toEqual(['Say ${word}', 'Say a=b ${x}']);
  });

  it('shows a terminal no control characters of an answer, and pipes it as it is', async () => {
    const prompt = 'a\u001b[2Jb c\u009b2J';
    const env = { ...here.env, ...around() };
    const { code, shown } = await runOnTerminal(['run', 'bedrock:plain', '--prompt', prompt], env);
    expect([code, shown.includes('\u001b[2J'), shown.includes('\u009b')]).toEqual([0, false, false]);
    expect(shown).toContain('a\\x1b[2Jb c\\x9b2J');
    const piped = await run('bedrock:plain', '--prompt', prompt);
    expect(piped.stdout).toContain(prompt);
    const json = await run('bedrock:plain', '--prompt', prompt, '--output', 'json');
    expect(['\u001b', '\u009b'].filter((one) => json.stdout.includes(one))).toEqual([]);
    expect(resultOf<{ result: string }>(json).result).toContain(prompt);
  });

  it('shows the tokens that the model counted', async () => {
    const { stdout } = await run('bedrock:chat', '--prompt', 'x');
    expect(stdout).toMatch(/\nfinishReason \w+, prompt tokens \d+, completion tokens \d+\n$/);
  });

  it('completes a named prompt of any version, with its variables', async () => {
    const first = await run('bedrock:named', '--prompt-name', 'greet', '--var', 'who=Ann');
    expect(first.code).toBe(0);
    const args = ['--prompt-name', 'greet', '--prompt-version', '1', '--var', 'who=Ann', '--var', 'language=Latin'];
    expect((await run('bedrock:named', ...args)).code).toBe(0);
    expect((await sent()).map(({ message }) => message)).toEqual(['Hail Ann', 'Greet Ann in Latin']);
  });

  it('says which variables the prompt does not have, and on stderr alone', async () => {
    const args = ['--prompt-name', 'greet', '--var', 'who=Ann', '--var', 'whom=SEKRET', '--output', 'json'];
    const ended = await run('bedrock:named', ...args);
    expect(ended.code).toBe(0);
    expect(ended.stderr).toContain(
      'The variable "whom" is not in the prompt "greet" (version 2) and was not used. Did you mean "who"?\n',
    );
    expect(`${ended.stdout}${ended.stderr}`).not.toContain('SEKRET');
    expect(resultOf(ended)).not.toHaveProperty('notes');
  });

  it('takes any inputs of the task from a file or from standard input; flags go before them', async () => {
    const input = JSON.stringify({
      prompt: 'from the file',
      maxTokens: 7,
      model: 'other',
      promptVariables: { a: 'x' },
    });
    const file = await here.manifest('input.json', input);
    expect((await run('bedrock:plain', '--input', file, '--prompt', 'from the flag ${a}')).code).toBe(0);
    const piped = await runWithInput(['run', 'bedrock:plain', '--input', '-'], { ...here.env, ...around() }, input);
    expect(piped.code).toBe(0);
    expect(await sent()).toMatchObject([
      { message: 'from the flag x', max_tokens: 7 },
      { message: 'from the file', max_tokens: 7 },
    ]);
  });

  it('is counted, for its subject where one is given', async () => {
    const before = Number((await usage())['["bedrock","plain","calls"]'] ?? 0);
    await run('bedrock:plain', '--prompt', 'x');
    expect(Number((await usage())['["bedrock","plain","calls"]'])).toBe(before + 1);
    expect(await usageOf('alice')).toEqual([]);
    await run('bedrock:plain', '--prompt', 'x', '--as', 'alice');
    expect(await usageOf('USER:alice')).not.toEqual([]);
  });

  it('obeys the limits of the model: the second call of a minute finds no place', async () => {
    const args = ['bedrock:one', '--prompt', 'x', '--output', 'json'];
    expect((await run(...args)).code).toBe(0);
    // It stands in line for 30 s.
    const second = await runCli(['run', ...args], { ...here.env, ...around() }, 60_000);
    expect(second.code).toBe(1);
    expect(resultOf(second)).toMatchObject({ error: { code: 'MODEL_BUSY', retryable: true } });
  }, 90_000);
});

describe('--as', () => {
  it('lets pass who may, and decides as a task would: a denial is exit code 1 and goes on record', async () => {
    expect((await run('bedrock:plain', '--prompt', 'x', '--as', 'USER:alice')).code).toBe(0);
    const denied = await run('bedrock:named', '--prompt-name', 'greet', '--as', 'USER:alice', '--output', 'json');
    expect(denied.code).toBe(1);
    expect(resultOf(denied)).toMatchObject({
      error: { code: 'PERMISSION_DENIED', field: 'model', retryable: false },
    });
    expect(denied.stderr).toContain('bedrock-cohere can USER:alice bedrock:named');
    expect(denied.stderr).toContain('(PERMISSION_DENIED)');
    expect(denied.stderr).not.toContain('Nobody was asked for');
    const records = await here.redis.xrange(here.names.denials, '-', '+');
    expect(records.map(([, fields]) => fields.join(' '))).toEqual([
      expect.stringContaining('subject USER:alice source operator target bedrock:named'),
    ]);
    expect(await sent()).toHaveLength(1);
  });

  it('of somebody whom nothing names says so, with the nearest known name', async () => {
    const { code, stderr } = await run('bedrock:plain', '--prompt', 'x', '--as', 'alise');
    expect(code).toBe(1);
    expect(stderr).toContain('nothing in Redis names USER:alise: no record, no group, no grant. Did you mean "alice"?');
  });
});

describe('a call that fails', () => {
  it.each([
    [
      'an unknown model, with the nearest one',
      ['bedrock:plin', '--prompt', 'x'],
      1,
      'MODEL_UNKNOWN',
      'Did you mean "plain"?',
    ],
    ['an unknown integration', ['bedrok:plain', '--prompt', 'x'], 1, 'INTEGRATION_UNKNOWN', 'Did you mean "bedrock"?'],
    ['a model that cannot do it', ['bedrock:plain', '--text', 'x'], 1, 'MODEL_UNFIT', ''],
    ['raw text where only prompts are taken', ['bedrock:named', '--prompt', 'x'], 1, 'PROMPT_REQUIRED', ''],
    ['variables that are missing', ['bedrock:plain', '--prompt-name', 'greet'], 1, 'PROMPT_VARIABLES_MISSING', 'who'],
    [
      'an input of no use',
      ['bedrock:plain', '--prompt-name', 'greet', '--prompt-version', 'x'],
      2,
      'INPUT_INVALID',
      'promptVersion',
    ],
  ])('ends as a task would: %s', async (_, args, code, errorCode, words) => {
    const ran = await run(...args, '--output', 'json');
    expect(ran.code).toBe(code);
    expect(resultOf(ran)).toMatchObject({ error: { code: errorCode, message: expect.stringContaining(words) } });
    expect(ran.stderr).toContain(`(${errorCode})`);
    expect(await sent()).toEqual([]);
  });

  it('says where a secret is missing, and never what it is', async () => {
    const ran = await here.run(['run', 'bedrock:plain', '--prompt', 'x'], { ...around(), BEDROCK_SECRET: '' });
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain('the variable BEDROCK_SECRET is not set');
    const wrong = await here.run(['run', 'bedrock:plain', '--prompt', 'x'], {
      ...around(),
      BEDROCK_SECRET: 'wr0ngSecret',
    });
    expect([wrong.code, wrong.stderr.includes('wr0ngSecret')]).toEqual([1, false]);
    expect(wrong.stderr).toContain('(CREDENTIALS_FAILED)');
  }, 60_000);

  it('is exit code 3 where Redis, or Bedrock, does not answer', async () => {
    const noRedis = await here.run(['run', 'bedrock:plain', '--prompt', 'x'], { REDIS_URL: 'redis://127.0.0.1:1' });
    expect(noRedis.code).toBe(3);
    const noBedrock = await here.run(['run', 'bedrock:plain', '--prompt', 'x', '--output', 'json'], {
      ...around(),
      AWS_ENDPOINT_URL_BEDROCK_RUNTIME: 'http://127.0.0.1:1',
    });
    expect(noBedrock.code).toBe(3);
    expect(resultOf(noBedrock)).toMatchObject({ error: { code: 'BEDROCK_UNAVAILABLE' } });
  }, 60_000);

  it('says at once that the user of Redis may not what a call needs, and what gives it the rights', async () => {
    for (const role of ['viewer', 'operator'] as const) {
      const url = await redisUrlAs(role, here.env['REDIS_URL'] ?? '', here.names.prefix);
      const { code, stderr } = await here.run(['run', 'bedrock:plain', '--prompt', 'x'], {
        ...around(),
        REDIS_URL: url,
      });
      expect([code, stderr]).toEqual([
        3,
        expect.stringMatching(/Redis refuses \(REDIS_URL\): .*NOPERM.*bedrock-cohere acl writes/),
      ]);
      expect(stderr).not.toContain('MODEL_BUSY');
    }
    expect(await sent()).toEqual([]);
  }, 60_000);

  it.each([
    ['a target that is no model', ['bedrock', '--prompt', 'x'], 'is not provider:model'],
    ['nothing to send', ['bedrock:plain'], 'say what to send'],
    ['a variable without a value', ['bedrock:plain', '--prompt', 'x', '--var', 'word'], 'name=value'],
    ['an empty subject', ['bedrock:plain', '--prompt', 'x', '--as', ''], '--as'],
    ['an unknown type', ['bedrock:plain', '--task-type', 'LLM_CHAT'], 'LLM_TEXT_COMPLETE'],
    ['a file that is not there', ['bedrock:plain', '--input', '/no/such/file'], 'cannot be read'],
  ])('before it is made is wrong usage: %s', async (_, args, words) => {
    const ran = await run(...args);
    expect([ran.code, ran.stdout]).toEqual([2, '']);
    expect(ran.stderr).toContain(words);
  });
});
