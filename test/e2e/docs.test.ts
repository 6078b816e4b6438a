/** Every command that README.md, CONTRIBUTING.md and docs/*.md show is run here, in order: see CONTRIBUTING.md. */
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bareEnvironment } from '../../devservers/cli-from-source.ts';
import { type ConductorApi, conductorApi, type WorkflowDefinition } from '../../devservers/conductor-api.ts';
import { freePort } from '../../devservers/ports.ts';
import type { Server } from '../../devservers/server.ts';
import { startSimulator } from '../../devservers/simulator.ts';
import { commandsOf, type DocumentedCommand, shows } from '../docs/commands.ts';
import { blocksOf, DOCUMENTS, readDocument, squeezed } from '../docs/markdown.ts';
import { copyRepository, openShell, type Repository, type Shell } from '../docs/shell.ts';
import { startConductorOnRedis } from '../support/conductor-on-redis.ts';
import { controlSimulator } from '../support/simulator-control.ts';

/** Commands that are shown and not run here, each with its reason. */
const NOT_RUN: readonly { readonly command: RegExp; readonly reason: string }[] = [
  { command: /^npm run bench -- (?!catalog$)/, reason: 'takes minutes of both cores' },
  { command: /^npm ci$/, reason: 'downloads the packages again; .ci/run begins with it' },
  { command: /^npm run fuzz\b/, reason: 'takes ten minutes; fuzz.test.ts beside this runs a short one' },
  { command: /^npm test$/, reason: 'would run this test within itself' },
  { command: /^npm run (lint|typecheck)$/, reason: 'stages of .ci/run, which come before the tests' },
  { command: /^docker /, reason: 'needs a container engine' },
  { command: /^bedrock-cohere audit --follow$/, reason: 'goes on until a signal; audit.test.ts beside this ends one' },
  { command: /^kubectl /, reason: 'needs a Kubernetes cluster' },
  { command: /^npm run quickstart$/, reason: 'has a test of its own below, on free ports' },
];
/** What ends only when it is told to. */
const LONG_RUNNING = /^(bedrock-cohere (worker|admin)|node dist\/cli\.js worker|npm run simulator\b.*)$/;

/** Its own: a reader's workers have no task domain, and `check` looks at every workflow there is. */
let conductorServer: Server;
let conductor: ConductorApi;
let simulator: Server;
let repository: Repository;

beforeAll(async () => {
  repository = await copyRepository();
  conductorServer = await startConductorOnRedis();
  conductor = conductorApi(conductorServer.url);
  simulator = await startSimulator();
});

afterAll(async () => {
  await simulator?.stop();
  await conductorServer?.stop();
  await repository?.remove();
});

const documents = DOCUMENTS.map((document) => {
  const markdown = readDocument(document);
  const workflows = blocksOf(markdown)
    .filter(({ language, text }) => language === 'json' && text.includes('"taskReferenceName"'))
    .map(({ text }) => JSON.parse(text) as WorkflowDefinition);
  return { document, commands: commandsOf(markdown), workflows };
}).filter(({ commands, workflows }) => commands.length + workflows.length > 0);

describe.each(documents)('$document', ({ document, commands, workflows }) => {
  let shell: Shell;

  beforeAll(async () => {
    await controlSimulator(simulator.url, 'reset');
    // The key pair that AWS's own documentation uses, and so ours.
    await controlSimulator(simulator.url, 'credentials', {
      accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    });
    await forgetWorkflows();
    shell = await openShell(repository, { conductorUrl: conductorServer.url, simulatorUrl: simulator.url });
  });

  afterAll(async () => {
    const codes = await shell?.stop();
    expect(codes?.filter((code) => code !== 0)).toEqual([]);
  });

  for (const command of commands.filter(({ text }) => !NOT_RUN.some((one) => one.command.test(text)))) {
    it(`line ${command.line}: ${command.text.slice(0, 120)}`, () => runAsDocumented(shell, command));
  }

  if (document === 'README.md') {
    it('has a first installation whose workflow completes', async () => {
      const workflow = await conductor.waitForWorkflow(shell.variable('ID') ?? '');
      expect(workflow.status, JSON.stringify(workflow.tasks.map((task) => task.reasonForIncompletion))).toBe(
        'COMPLETED',
      );
      expect(workflow.output['summary']).toMatch(/Summarize in one sentence: The roof leaked/);
      expect(workflow.output['embedding']).toHaveLength(1536);
    });

    it('shows a denial in the words of a task', async () => {
      const { tasks } = workflows[0] as WorkflowDefinition;
      await conductor.registerWorkflow({
        name: 'billing_embed',
        tasks: tasks
          .slice(1)
          .map((task) => ({ ...task, inputParameters: { ...(task['inputParameters'] as object), text: 'x' } })),
      });
      const workflow = await conductor.waitForWorkflow(await conductor.startWorkflow('billing_embed'));
      expect(workflow.tasks[0]?.status).toBe('FAILED_WITH_TERMINAL_ERROR');
      expect(squeezed(readDocument(document))).toContain(squeezed(workflow.tasks[0]?.reasonForIncompletion ?? 'none'));
    });
  }

  if (workflows.length > 0) {
    it('shows workflow definitions that Conductor takes, and that complete where a worker runs', async () => {
      for (const workflow of workflows) {
        await conductor.registerWorkflow(workflow);
        if (!shell.isWorkerRunning()) continue;
        const id = await conductor.startWorkflow(workflow.name, { text: 'The roof leaked.' });
        const { status, tasks } = await conductor.waitForWorkflow(id);
        expect(status, JSON.stringify(tasks.map((task) => task.reasonForIncompletion))).toBe('COMPLETED');
      }
    });
  }
});

describe('npm run quickstart', () => {
  it('shows a result and a denial', { timeout: 180_000 }, async () => {
    const names = ['redis', 'conductor', 'simulator', 'worker'];
    const ports = await Promise.all(names.map(async (name) => [`--${name}-port`, String(await freePort())]));
    const { status, stdout, stderr } = spawnSync('npm', ['run', '--silent', 'quickstart', '--', ...ports.flat()], {
      cwd: repository.folder,
      encoding: 'utf8',
      env: bareEnvironment({
        BEDROCK_COHERE_CACHE: process.env['BEDROCK_COHERE_CACHE'],
        XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'],
        JAVA_HOME: process.env['JAVA_HOME'],
      }),
      timeout: 170_000,
    });
    expect(status, `${stdout}\n${stderr}`).toBe(0);
    expect(stdout).toMatch(/summary +Simulated answer to: "Summarize in one sentence: /);
    expect(stdout).toContain('1536 numbers, by Cohere Embed v4');
    expect(stdout).toMatch(/task FAILED_WITH_TERMINAL_ERROR, PERMISSION_DENIED; no model was\s+called/);
    expect(squeezed(stdout)).toContain('USER:app:intruder may not use bedrock-demo:amazon.nova-lite-v1:0');
  });
});

describe('the list of commands that are not run', () => {
  it('names only commands that the documentation shows', () => {
    const all = documents.flatMap(({ commands }) => commands.map(({ text }) => text));
    for (const { command, reason } of NOT_RUN)
      expect(
        all.some((text) => command.test(text)),
        reason,
      ).toBe(true);
  });
});

async function runAsDocumented(shell: Shell, { text, exitCode, prints }: DocumentedCommand): Promise<void> {
  if (LONG_RUNNING.test(text)) return await shell.start(text);
  const { code, output } = await shell.run(text);
  expect(code, `${text}\n${output}`).toBe(exitCode);
  if (prints !== undefined && !shows(output, prints)) expect(output, text).toBe(prints);
}

/** Definitions that other documents left: `check` would find fault with them. */
async function forgetWorkflows(): Promise<void> {
  const left = (await conductor.call('GET', '/metadata/workflow')) as { name: string; version: number }[];
  for (const { name, version } of left) {
    await conductor.call('DELETE', `/metadata/workflow/${encodeURIComponent(name)}/${version}`);
  }
}
