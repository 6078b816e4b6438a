import { describe, expect, it } from 'vitest';
import { workflowsWith } from '../../../src/workers/conductor/workflow-tasks.ts';

const task = (name: string, type?: string, more: object = {}) => ({
  name,
  taskReferenceName: `${name}_ref`,
  ...(type === undefined ? {} : { type }),
  ...more,
});
const queues = new Set(['LLM_TEXT_COMPLETE', 'my_llm']);

describe('workflows that have tasks of our queues', () => {
  it.each<[string, unknown[], boolean]>([
    ['a task of the type', [task('ask', 'LLM_TEXT_COMPLETE')], true],
    ['a SIMPLE task of the name', [task('my_llm', 'SIMPLE')], true],
    ['a task without a type, of the name', [task('my_llm')], true],
    ['another type of the same name', [task('my_llm', 'HTTP')], false],
    ['none', [task('other', 'SIMPLE')], false],
    ['a task that is decided when it runs', [task('d', 'DYNAMIC')], true],
    ['a fork that is decided when it runs', [task('f', 'FORK_JOIN_DYNAMIC')], true],
  ])('with %s', (_, tasks, expected) => {
    expect(workflowsWith([{ name: 'w', tasks }], queues)).toEqual(expected ? ['w'] : []);
  });

  it('are those of inline sub-workflows, too, however deep, which run under names of their own', () => {
    const inline = (name: string, tasks: unknown[]) =>
      task(`run_${name}`, 'SUB_WORKFLOW', {
        subWorkflowParam: { name: 'unused', workflowDefinition: { name, tasks } },
      });
    const deep = inline('outer', [task('loop', 'DO_WHILE', { loopOver: [inline('inner', [task('my_llm')])] })]);
    const definitions = [{ name: 'w', tasks: [deep, inline('other', [task('x')])] }];
    expect(workflowsWith(definitions, queues)).toEqual(['w', 'outer', 'inner']);
    const expression = task('s', 'SUB_WORKFLOW', { subWorkflowParam: { workflowDefinition: '${workflow.input.w}' } });
    expect(workflowsWith([{ name: 'v', tasks: [expression] }], queues)).toEqual([]);
  });

  it('are named once, whichever version has them', () => {
    const ours = [task('ask', 'LLM_TEXT_COMPLETE')];
    const definitions = [
      { name: 'w', tasks: [] },
      { name: 'w', tasks: ours },
      { name: 'w', tasks: ours },
      { name: 'v', tasks: 'nonsense' },
    ];
    expect(workflowsWith(definitions, queues)).toEqual(['w']);
  });
});
