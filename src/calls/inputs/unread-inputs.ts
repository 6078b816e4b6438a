import { TASK_TYPES, type TaskType } from '../../config.ts';
import { ServiceError } from '../../errors.ts';
import { didYouMean } from '../../parsing.ts';
import { notKnown, type TaskInput, unreadInputs } from './read-inputs.ts';
import { plainName } from './task-inputs.ts';
import { TASK_SCHEMAS } from './task-schemas.ts';

/** A reason is read at a glance; the task's log has the others. */
const SAID_IN_REASON = 3;

/**
 * An INPUT_INVALID of a task that has inputs which its type does not know carries a note of each: what is missed may stand under
 * another name. Where the input that is at fault was not given at all, the message says so itself.
 */
export function tellUnread(error: unknown, type: TaskType, input: TaskInput): unknown {
  if (!(error instanceof ServiceError) || error.code !== 'INPUT_INVALID') return error;
  const known = inputsOf(type);
  const unread = unreadInputs(input, known);
  if (unread.length === 0) return error;
  const { message, field = '', cause } = error;
  const wasGiven = input[field.split('.')[0] ?? ''] != null;
  const said = unread.filter((key) => plainName.safeParse(key).success).slice(0, SAID_IN_REASON);
  const reason = wasGiven ? [message] : [message.replace(/[^.?]$/, '$&.'), ...said.map((key) => noteOf(key, type))];
  return new ServiceError('INPUT_INVALID', reason.join(' '), {
    field: error.field,
    notes: [...error.notes, ...unread.map((key) => noteOf(key, type))],
    cause,
  });
}

function noteOf(key: string, type: TaskType): string {
  const hint = didYouMean(key, inputsOf(type));
  const others = TASK_TYPES.filter((other) => inputsOf(other).includes(key));
  const elsewhere = others.length === 0 ? '' : ` It is one of ${others.join(', ')}.`;
  return `${notKnown(key)}${hint || elsewhere}`;
}

function inputsOf(type: TaskType): readonly string[] {
  return Object.keys(TASK_SCHEMAS[type].input.shape);
}
