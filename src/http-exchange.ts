import type { Dispatcher } from 'undici';

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  /** Where the dispatcher is no Pool of one origin. */
  readonly origin?: string | undefined;
  /** Encoded, with its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
  /** How long until the whole answer is there, connecting included, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case; one that came several times is a list. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly bytes: Buffer;
  /** The bytes, read as UTF-8 when asked. */
  readonly text: string;
}

/** The whole answer was not there in time. */
export class AnswerLate extends Error {
  override readonly name = 'AnswerLate';
  constructor(timeoutMs: number) {
    super(`no answer within ${timeoutMs} ms`);
  }
}

/**
 * One request over an undici Pool, or an Agent where its origin is given, and its whole answer, whatever the status. Rejects with AnswerLate, with the
 * signal's reason, or with undici's error; the connection is then given up. Over undici's `dispatch`: its `request`
 * makes a stream, and with a signal and a deadline three more listeners, for every answer, which costs more than the rest.
 */
export function exchange(dispatcher: Dispatcher, request: HttpRequest): Promise<HttpAnswer> {
  const { method, origin, path, headers, body, timeoutMs, signal } = request;
  return new Promise<HttpAnswer>((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    let connection: Dispatcher.DispatchController | undefined;
    let givenUp: Error | undefined;
    let status = 0;
    let answered: HttpAnswer['headers'] = {};
    const chunks: Buffer[] = [];

    const abort = (): void => giveUp(signal?.reason);
    const timer = setTimeout(() => giveUp(new AnswerLate(timeoutMs)), timeoutMs);
    signal?.addEventListener('abort', abort, { once: true });

    function over(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }

    function giveUp(reason: unknown): void {
      over();
      givenUp = reason instanceof Error ? reason : new Error(String(reason));
      reject(reason);
      // One that still waits for a connection has none yet: it is given up as soon as it gets one.
      connection?.abort(givenUp);
    }

    dispatcher.dispatch(
      // undici's own type leaves no room for an origin that is there and undefined.
      { method, ...(origin === undefined ? undefined : { origin }), path, headers, body: body ?? null },
      {
        onRequestStart(controller) {
          connection = controller;
          if (givenUp !== undefined) controller.abort(givenUp);
        },
        onResponseStart(_, statusCode, responseHeaders) {
          status = statusCode;
          answered = responseHeaders;
        },
        onResponseData(_, chunk) {
          chunks.push(chunk);
        },
        onResponseEnd() {
          over();
          const [only = EMPTY] = chunks;
          const bytes = chunks.length > 1 ? Buffer.concat(chunks) : only;
          resolve({
            ...{ status, headers: answered, bytes },
            get text() {
              return bytes.toString('utf8');
            },
          });
        },
        onResponseError(_, error) {
          over();
          reject(error);
        },
      },
    );
  });
}

const EMPTY = Buffer.alloc(0);
