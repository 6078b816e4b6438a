/** Something that is wrong, or will be. `key` and `field` name the place in Redis, Conductor or the environment. */
export interface Finding {
  /** `error`: some task fails. `warning`: something may, or is riskier than it need be. */
  readonly severity: 'error' | 'warning';
  readonly key: string;
  readonly field: string;
  readonly message: string;
  /** True where the finding is that something did not answer: exit code 3. */
  readonly unreachable?: true;
}
