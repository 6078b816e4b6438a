import type { Environment } from './environment.ts';
import type { Ports } from './options.ts';
import type { Plan } from './plan.ts';
import { print, styled } from './steps.ts';
import { type Completed, type Denied, TEXT } from './workflows.ts';

/** How wide a line of the report may be, in characters. */
const WIDTH = 100;
const LABEL = 14;

/** What went in, what came out, and the denial. */
export function printResults(completed: Completed, denied: Denied, simulated: boolean): void {
  heading('What went in');
  entry('workflow', `${completed.workflow}, of the application "quickstart", which may use the models and the prompt`);
  entry('text', TEXT);

  heading('What came out');
  entry('summary', completed.summary);
  if (simulated) entry('', '(the words of the simulator; with --aws, those of the model)');
  entry('tokens', describeTokens(completed));
  const first = completed.embedding.slice(0, 4).map((number) => number.toFixed(4));
  entry('embedding', `${first.join(', ')}, … (${completed.embedding.length} numbers, by Cohere Embed v4)`);

  heading('The denial');
  entry('workflow', `${denied.workflow}, the same tasks, of the application "intruder", which holds no grant`);
  entry('status', `workflow ${denied.workflowStatus}, task ${denied.taskStatus}, ${denied.code}; no model was called`);
  entry('reason', denied.reason);
}

/** What to try next: with everything still running, commands that work as they stand. */
export function printNext(environment: Environment, plan: Plan, keep: boolean): void {
  heading('What to try next');
  if (!keep) {
    command('npm run quickstart -- --keep', 'leave everything running, and see the commands to play with it');
    if (!plan.aws) command('npm run quickstart -- --aws', 'the same on Amazon Bedrock itself, with your credentials');
  } else {
    const { env, redisUrl, conductorUrl } = environment;
    const prefix = plan.redisPrefix === 'cohere:' ? '' : `REDIS_PREFIX='${plan.redisPrefix}' `;
    const grants = `'${plan.redisPrefix}grants:USER:app:intruder'`;
    command(
      `REDIS_URL=${redisUrl} ${prefix}npx node src/cli.ts can app:intruder bedrock-demo`,
      'ask why the intruder is denied',
    );
    command(
      `redis-cli -u ${redisUrl} HSET ${grants} INTEGRATION_PROVIDER:bedrock-demo EXECUTE PROMPT:summarize EXECUTE`,
      'grant it what it lacks; the worker knows within milliseconds',
    );
    const domain = env['TASK_DOMAIN'] === undefined ? '' : `,"taskToDomain":{"*":"${env['TASK_DOMAIN']}"}`;
    command(
      `curl -X POST ${conductorUrl}/api/workflow -H 'content-type: application/json' -d '{"name":"intruder_summary","input":{"text":"Hello"}${domain}}'`,
      'run it again: this prints the id of a workflow that now completes',
    );
    command(`curl ${conductorUrl}/api/workflow/ID`, 'see what became of it');
    command('npm run quickstart -- --stop', 'stop everything');
  }
  print(`\n  The manifests and workflows are in examples/quickstart; README.md goes on from here.`);
}

/** Where everything is, for `--keep`. */
export function printUrls(environment: Environment, plan: Plan, ports: Ports): void {
  heading('Still running');
  entry(
    'Conductor',
    plan.conductor === undefined ? `${environment.conductorUrl} (API under /api)` : environment.conductorUrl,
  );
  entry('Redis', environment.redisUrl.replace(/\/\/[^@/]*@/, '//…@'));
  if (environment.simulatorUrl !== undefined) entry('Bedrock', `${environment.simulatorUrl} (simulator)`);
  entry('Worker', `http://127.0.0.1:${ports.worker} (/healthz, /readyz, /metrics)`);
  entry('Logs', environment.folder);
}

function describeTokens({ tokens, finishReason }: Completed): string {
  const { total, prompt, completion } = tokens;
  const split = prompt === undefined || completion === undefined ? '' : ` (${prompt} in, ${completion} out)`;
  const counted = total === undefined ? 'not counted' : `${total}${split}`;
  return finishReason === undefined ? counted : `${counted}; finish reason ${finishReason}`;
}

function heading(text: string): void {
  print(`\n${styled('bold', text)}`);
}

function entry(label: string, text: string): void {
  const [first = '', ...others] = wrapped(text, WIDTH - LABEL);
  print(`  ${styled('dim', label.padEnd(LABEL - 2))}${first}`);
  for (const line of others) print(`${' '.repeat(LABEL)}${line}`);
}

function command(text: string, meaning: string): void {
  print(`  ${styled('cyan', text)}\n      ${meaning}`);
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
