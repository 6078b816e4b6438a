import { readRecord } from '../catalog/records.ts';
import type { IntegrationConfiguration } from '../integrations/integration.ts';
import { hasValue, MASK, MASKED_FIELDS } from '../integrations/secrets/masks.ts';
import { ANY, type Edit, type FieldEdit, isFieldEdit, isKeyEdit, isWrite } from '../redis/edits.ts';
import type { HashKind, KeyNames } from '../redis/keys.ts';
import { AS_FOUND, type Described, HIDDEN, SHOWN_AT_MOST, type ShownText } from '../redis/trail.ts';

/** Names are kept up to so many characters; longer ones can only be written by redis-cli. */
const NAME_AT_MOST = 4_096;

/**
 * What goes on record with edits, secrets masked. What is only made sure of is no change; the hash of an access key and
 * the private half of a token key go without a record of their own beside that of the key, as does when somebody bootstrapped.
 */
export function describeEdits(names: KeyNames, edits: readonly Edit[]): (Described | undefined)[] {
  const besides = new Set(edits.flatMap((edit) => (isWrite(edit) ? besidesOf(names, edit) : [])));
  return edits.map((edit) => {
    if (!isWrite(edit) || (isFieldEdit(edit) && besides.has(`${edit.key} ${edit.field}`))) return undefined;
    const described = describe(names, edit);
    return { ...described, name: withoutAccounts(described.name).slice(0, NAME_AT_MOST) };
  });
}

/** `key field` of what a record of this edit says as well. */
function besidesOf(names: KeyNames, edit: Edit): string[] {
  if (!isFieldEdit(edit)) return [];
  if (edit.key === names.hash('access-keys')) return [`${names.admin.keyHashes} ${edit.field}`];
  if (edit.key === names.hash('token-keys')) return [`${names.admin.signing} ${edit.field}`];
  return edit.key === names.admin.bootstrap && edit.field === 'accessKey' ? [`${edit.key} at`] : [];
}

function describe(names: KeyNames, edit: Edit): Described {
  const at = names.parse(edit.key);
  if (at === undefined) return hidden(names, edit);
  switch (at.kind) {
    case 'members':
      return { kind: 'members', name: at.group, before: AS_FOUND, after: undefined };
    case 'grants': {
      if (!isFieldEdit(edit)) return { kind: 'grants', name: at.subject, before: AS_FOUND, after: undefined };
      const name = `${at.subject} → ${edit.field}`;
      return {
        kind: 'grants',
        name,
        before: AS_FOUND,
        after: edit.after === undefined ? undefined : shown(edit.after),
      };
    }
    default:
      return isFieldEdit(edit) ? describeRecord(at.kind, edit) : hidden(names, edit);
  }
}

function describeRecord(kind: HashKind, { field, before, after }: FieldEdit): Described {
  return {
    kind,
    name: field,
    before: before === ANY ? HIDDEN : shownRecord(kind, field, before),
    after: shownRecord(kind, field, after),
    rewritten: kind === 'integrations' && before !== ANY ? rewrittenFields(field, before, after) : [],
  };
}

/** What only administrators read, and what is no key that this version knows: no value of it is shown. */
function hidden(names: KeyNames, edit: Edit): Described {
  const known = new Map([
    [names.admin.keyHashes, 'key-hashes'],
    [names.admin.signing, 'signing-keys'],
    [names.admin.bootstrap, 'bootstrap'],
  ]);
  const field = isFieldEdit(edit) ? edit.field : isKeyEdit(edit) ? '' : edit.member;
  const kind = known.get(edit.key) ?? 'other';
  const name = kind === 'other' ? `${edit.key} ${field}`.trim() : field;
  const isThere = isFieldEdit(edit) && edit.after !== undefined;
  return { kind, name, before: HIDDEN, after: isThere ? shown(MASK) : undefined };
}

/** A record that cannot be read may hold a secret anywhere. */
function shownRecord(kind: HashKind, name: string, raw: string | undefined): ShownText | undefined {
  if (raw === undefined) return undefined;
  if (readRecord(kind, '', name, raw).lookup.kind === 'invalid') return shown(MASK);
  return shown(masked(JSON.parse(raw)));
}

const MASKED: ReadonlySet<string> = new Set(MASKED_FIELDS);

/** Wherever such a field stands: some parts of records are kept as they came, and read by nobody. */
function masked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(masked);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [name, MASKED.has(name) && hasValue(part) ? MASK : masked(part)]),
  );
}

/** Of two records that differ only behind the mask nobody could tell what changed. */
function rewrittenFields(name: string, before: string | undefined, after: string | undefined): string[] {
  const [old, fresh] = [before, after].map((raw) => {
    if (raw === undefined || readRecord('integrations', '', name, raw).lookup.kind === 'invalid') return undefined;
    return (JSON.parse(raw) as { configuration: IntegrationConfiguration }).configuration;
  });
  if (old === undefined || fresh === undefined) return [];
  return MASKED_FIELDS.filter((field) => old[field] !== fresh[field]).map((field) => `configuration.${field}`);
}

function shown(value: unknown): ShownText {
  const json = withoutAccounts(JSON.stringify(value));
  if (json.length <= SHOWN_AT_MOST) return { json, cutFrom: undefined };
  return { json: JSON.stringify(json.slice(0, SHOWN_AT_MOST)), cutFrom: json.length };
}

/** ARNs without the id of their account. */
export function withoutAccounts(text: string): string {
  return text.replaceAll(/(arn:aws[\w-]*:[\w-]*:[\w-]*:)\d{12}/g, '$1************');
}
