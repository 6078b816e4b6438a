/** `bedrock-cohere/tasks` as those have it who install the package: packed by npm, compiled and run in a project of its own. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TASK_TYPES } from '../../src/config.ts';
import { ROOT } from '../docs/markdown.ts';

const SDK = '@io-orkes/conductor-javascript';

let folder: string;
let consumer: string;

function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
  return stdout;
}

const tsc = (cwd: string) => run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', '.'], cwd);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bedrock-cohere-package-'));
  const source = join(folder, 'package');
  mkdirSync(source);
  for (const name of ['package.json', 'schemas', 'examples', 'LICENSE', 'README.md', 'CHANGELOG.md']) {
    cpSync(join(ROOT, name), join(source, name), { recursive: true });
  }
  // As `npm run build` does, but for what the workers need.
  const build = {
    extends: join(ROOT, 'tsconfig.build.json'),
    compilerOptions: { rootDir: join(ROOT, 'src'), outDir: join(source, 'dist'), types: [], sourceMap: false },
    files: [join(ROOT, 'src/tasks/index.ts')],
    include: [],
  };
  writeFileSync(join(source, 'tsconfig.json'), JSON.stringify(build));
  tsc(source);
  const packed = run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], source).trim();

  consumer = join(folder, 'consumer');
  const packages = join(consumer, 'node_modules');
  mkdirSync(join(packages, 'bedrock-cohere'), { recursive: true });
  mkdirSync(join(packages, '@io-orkes'));
  run('tar', ['xzf', join(folder, packed), '--strip-components=1', '-C', join(packages, 'bedrock-cohere')], folder);
  symlinkSync(join(ROOT, 'node_modules', SDK), join(packages, SDK));
  writeFileSync(join(consumer, 'package.json'), JSON.stringify({ name: 'consumer', type: 'module' }));
  const options = { target: 'es2022', module: 'nodenext', strict: true, noEmit: true, skipLibCheck: true, types: [] };
  writeFileSync(
    join(consumer, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { ...options, resolveJsonModule: true }, include: ['*.ts'] }),
  );
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const WORKFLOW = `
import { ConductorWorkflow, type WorkflowExecutor } from '${SDK}';
import { chatCompleteTask, generateEmbeddingsTask, outputOf, rerankTask, textCompleteTask } from 'bedrock-cohere/tasks';
import type { ChatCompleteOutput, GenerateEmbeddingsInput, RerankOutput } from 'bedrock-cohere/tasks';

const model = { llmProvider: 'bedrock-prod', model: 'some' };
const text = textCompleteTask('text', { ...model, promptName: 'summarize', promptVariables: { text: '\${workflow.input.text}' } });
const chat = chatCompleteTask('chat', { ...model, messages: [{ role: 'user', message: '\${workflow.input.text}' }], tools: [{ name: 'look' }] });
const embed = generateEmbeddingsTask('embed', { ...model, texts: '\${workflow.input.texts}', embeddingTypes: ['int8'] });
const best = rerankTask('best', { ...model, query: 'q', documents: '\${workflow.input.texts}', topN: 2 });

export const given: GenerateEmbeddingsInput = { ...model, text: 'a', inputType: 'search_query' };
export const reason = (output: ChatCompleteOutput): 'STOP' | string => output.finishReason;
export const first = (output: RerankOutput): number | undefined => output.result[0]?.score;

// @ts-expect-error: no such input
generateEmbeddingsTask('a', { ...model, txt: 'a' });
// @ts-expect-error: the query is missing
rerankTask('a', { ...model, documents: ['a'] });
// @ts-expect-error: no such role
chatCompleteTask('a', { ...model, messages: [{ role: 'model', message: 'a' }] });
// @ts-expect-error: no number
textCompleteTask('a', { ...model, prompt: 'a', temperature: true });
// @ts-expect-error: no such output
outputOf(embed, 'vector');
// @ts-expect-error: no such output field of an answer
export const none = (output: RerankOutput): unknown => output.results;

const workflow = new ConductorWorkflow({} as WorkflowExecutor, 'all', 1)
  .add([text, chat, embed, best])
  .outputParameters({ best: outputOf(best, 'result') });
process.stdout.write(JSON.stringify(workflow.toWorkflowDef()));
`;

describe('the packed package', () => {
  it('builds tasks of every type with the SDK, with types that hold, and loads nothing else', () => {
    writeFileSync(
      join(consumer, 'workflow.ts'),
      `declare const process: { stdout: { write(text: string): void } };${WORKFLOW}`,
    );
    tsc(consumer);
    const definition = JSON.parse(run(process.execPath, ['workflow.ts'], consumer));
    expect(definition.tasks.map(({ type }: { type: string }) => type).sort()).toEqual([...TASK_TYPES].sort());
    expect(definition.outputParameters).toEqual({ best: '${best.output.result}' });
    rmSync(join(consumer, 'workflow.ts'));
  });

  it('has an example that compiles as it is, and schemas to import', () => {
    cpSync(
      join(consumer, 'node_modules/bedrock-cohere/examples/retrieval/workflow.ts'),
      join(consumer, 'retrieval.ts'),
    );
    writeFileSync(
      join(consumer, 'schema.ts'),
      "import schema from 'bedrock-cohere/schemas/llm_rerank_input.json' with { type: 'json' };\n" +
        'export const needed: string[] = schema.data.required;\n',
    );
    tsc(consumer);
  });
});
