/** Looks for secrets in what a system shows, also in the disguises that they take on their way. */

export interface Leak {
  /** What was looked at, such as `log of the worker`. */
  readonly surface: string;
  /** Which secret, by its name. */
  readonly secret: string;
  /** In which form, such as `base64`. */
  readonly form: string;
}

/** The forms of a secret that are looked for. Of base64 all three alignments, since it stands amid other bytes. */
export function formsOf(secret: string): ReadonlyMap<string, string> {
  const escaped = JSON.stringify(secret).slice(1, -1);
  const forms = new Map<string, string>([
    ['itself', secret],
    ['JSON', escaped],
    ['JSON within JSON', JSON.stringify(escaped).slice(1, -1)],
    ['URL-encoded', encodeURIComponent(secret)],
    ['hexadecimal', Buffer.from(secret).toString('hex')],
  ]);
  for (const encoding of ['base64', 'base64url'] as const) {
    for (const offset of [0, 1, 2]) {
      const encoded = Buffer.concat([Buffer.alloc(offset), Buffer.from(secret)])
        .toString(encoding)
        .replaceAll('=', '');
      // What the bytes before and after it have a part in may read otherwise.
      const whole = Math.floor(((offset + Buffer.byteLength(secret)) * 8) / 6);
      forms.set(`${encoding}, offset ${offset}`, encoded.slice(Math.ceil((offset * 8) / 6), whole));
    }
  }
  return forms;
}

/** Where any of the named secrets stands in any of the named surfaces, in any form. */
export function findLeaks(
  surfaces: Readonly<Record<string, string>>,
  secrets: Readonly<Record<string, string>>,
): Leak[] {
  return Object.entries(secrets).flatMap(([name, secret]) => {
    if (secret.length < 8) throw new Error(`${name} is too short to be looked for`);
    const forms = [...formsOf(secret)];
    return Object.entries(surfaces).flatMap(([surface, text]) => {
      const lower = text.toLowerCase();
      const found = forms.find(([form, value]) =>
        form === 'hexadecimal' || form === 'URL-encoded' ? lower.includes(value.toLowerCase()) : text.includes(value),
      );
      return found === undefined ? [] : [{ surface, secret: name, form: found[0] }];
    });
  });
}
