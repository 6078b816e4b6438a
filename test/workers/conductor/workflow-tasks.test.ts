import { describe, expect, it } from 'vitest';
import { tasksIn } from '../../../src/workers/conductor/workflow-tasks.ts';

const task = (name: string, more: object = {}) => ({ name, taskReferenceName: name, type: 'X', ...more });
const namesIn = (value: unknown) => [...tasksIn(value)].map(({ name }) => name);

describe('tasks in a workflow definition', () => {
  it.each<[string, unknown, string[]]>([
    ['in a row', [task('a'), task('b')], ['a', 'b']],
    [
      'in all cases of a switch',
      [task('s', { decisionCases: { x: [task('a')], y: [task('b')] }, defaultCase: [task('c')] })],
      ['s', 'a', 'b', 'c'],
    ],
    ['in the branches of a fork', [task('f', { forkTasks: [[task('a')], [task('b')]] })], ['f', 'a', 'b']],
    ['in a loop', [task('l', { loopOver: [task('a')] })], ['l', 'a']],
    [
      'in an inline sub-workflow',
      [task('w', { subWorkflowParam: { name: 'x', workflowDefinition: { name: 'x', tasks: [task('a')] } } })],
      ['w', 'a'],
    ],
    ['in each other', [task('l', { loopOver: [task('f', { forkTasks: [[task('a')]] })] })], ['l', 'f', 'a']],
  ])('are found %s', (_, tasks, names) => {
    expect(namesIn(tasks).sort()).toEqual([...names].sort());
  });

  it('are passed over where they are none, and what is no definition is none', () => {
    expect(namesIn([null, 7, 'x', { name: 'no reference' }, task('a', { taskDefinition: 'x' })])).toEqual(['a']);
    expect(namesIn(undefined)).toEqual([]);
    expect([...tasksIn([task('a', { taskDefinition: 'x' })])][0]?.taskDefinition).toBeNull();
  });

  it('are SIMPLE where they say no type', () => {
    expect([...tasksIn([{ name: 'a', taskReferenceName: 'a' }])][0]?.type).toBe('SIMPLE');
  });
});
