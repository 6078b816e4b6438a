import { ServiceError } from '../errors.ts';

/**
 * What Redis answers to a command that reads. Throws UNREACHABLE, with Redis' own words where it refuses: ioredis hangs the
 * command with its arguments, whole records, on its errors, and those end in logs.
 */
export async function answered<T>(command: Promise<T>): Promise<T> {
  try {
    return await command;
  } catch (error) {
    const refusal = refusalOf(error);
    throw new ServiceError('UNREACHABLE', refusal === undefined ? 'Redis did not answer' : `Redis refuses: ${refusal}`);
  }
}

/** The same of one that writes: UNREACHABLE says, too, what has become of that. */
export async function answeredWrite<T>(command: Promise<T>): Promise<T> {
  try {
    return await command;
  } catch (error) {
    const refusal = refusalOf(error);
    throw new ServiceError(
      'UNREACHABLE',
      refusal === undefined
        ? 'Redis did not answer: what was to be written may be written or not'
        : `Redis refuses: ${refusal}; nothing was written`,
    );
  }
}

/** Why Redis refuses, in its own words and with the next step where there is one; undefined for what is no refusal. */
export function refusalOf(error: unknown): string | undefined {
  // Of a transaction it says first that there was an error, and only then which.
  const [first = error] = (error as { previousErrors?: readonly unknown[] }).previousErrors ?? [];
  if (!(first instanceof Error) || first.name !== 'ReplyError') return undefined;
  const words = firstWords(first.message);
  return LACKS_RIGHT.test(words)
    ? `${words} (the user of REDIS_URL may not do this: bedrock-cohere acl writes the rules that each command needs)`
    : words;
}

/** As Redis says it of a command, and of one that a script asks for. */
const LACKS_RIGHT = /^NOPERM|ACL failure in script|The user executing the script can't/;

/** Without the name and line of the script that Redis adds. */
function firstWords(message: string): string {
  return message.replace(/ script: [0-9a-f]{40}.*$/s, '');
}
