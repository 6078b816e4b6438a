import { ServiceError } from '../errors.ts';

/**
 * What Redis answers to a command. Throws UNREACHABLE, with Redis' own words where it refuses: ioredis hangs the command
 * with its arguments, whole records, on its errors, and those end in logs.
 */
export async function answered<T>(command: Promise<T>): Promise<T> {
  try {
    return await command;
  } catch (error) {
    if (error instanceof Error && error.name === 'ReplyError') {
      // Of a transaction it says first that there was an error, and only then which.
      const [first = error] = (error as { previousErrors?: readonly Error[] }).previousErrors ?? [];
      throw new ServiceError('UNREACHABLE', `Redis refuses: ${firstWords(first.message)}; nothing was written`);
    }
    throw new ServiceError('UNREACHABLE', 'Redis did not answer: what was to be written may be written or not');
  }
}

/** Without the name and line of the script that Redis adds. */
function firstWords(message: string): string {
  return message.replace(/ script: [0-9a-f]{40}.*$/s, '');
}
