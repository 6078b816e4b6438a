import { randomUUID } from 'node:crypto';
import { hostname, userInfo } from 'node:os';

/** Whose doing a change is, and how it was asked for. */
export interface Author {
  /** Common to all records of one request, or of one run of a command. */
  readonly change: string;
  /** Proven by a token: `USER:app:…`. Undefined for a command. */
  readonly subject: string | undefined;
  /** The id of the access key that made the token. */
  readonly accessKey: string | undefined;
  /** The route, such as `PUT /api/groups/{id}`, or the command, such as `bedrock-cohere apply`. */
  readonly via: string;
  /** Of a command the operating system's `user@host`: it proves nothing. */
  readonly label: string | undefined;
}

/** Somebody at a command line of this machine, or a process that runs there. */
export function commandAuthor(command: string): Author {
  return {
    change: randomUUID(),
    subject: undefined,
    accessKey: undefined,
    via: `bedrock-cohere ${command}`,
    label: `${userName()}@${hostname()}`,
  };
}

/** In a container a user may have a number and no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}
