/**
 * What a task carries as `accessToken`, taken off its input as soon as it is read: whatever logs, writes or keeps a task
 * or its input has no token to show, since a private field is seen by nothing that prints, copies or turns to JSON. It may
 * be anything at all until it is verified.
 */
export class AccessToken {
  readonly #value: unknown;

  constructor(value: unknown) {
    this.#value = value;
  }

  /** For the one who verifies it. */
  reveal(): unknown {
    return this.#value;
  }
}
