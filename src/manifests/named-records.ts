import { type RecordReference, recordOfMember, recordOfModel } from '../catalog/references.ts';
import { ROLE_HOLDERS } from '../catalog/role-world.ts';
import type { ManifestKind } from '../redis/keys.ts';

/** What one record names, and where in it. */
export interface Named<To> {
  /** A path such as `members.0`, '' for the record's own name. */
  readonly field: string;
  readonly to: To;
}

/** Records without which this one means nothing, as far as it can be read: one with a fault elsewhere names them all the same. */
export function namedRecords(kind: ManifestKind, name: string, body: unknown): Named<RecordReference>[] {
  switch (kind) {
    case 'models': {
      const to = recordOfModel(name);
      return to === undefined ? [] : [{ field: '', to }];
    }
    case 'prompts':
      return texts(body, 'integrations').map(({ field, to }) => ({ field, to: { kind: 'models', name: to } }));
    case 'groups':
      return texts(body, 'members').flatMap(({ field, to: member }) => {
        const to = recordOfMember(member);
        return to === undefined ? [] : [{ field, to }];
      });
    default:
      return [];
  }
}

/** The roles that a record has, by name; Orkes' objects are read, too. */
export function namedRoles(kind: ManifestKind, body: unknown): Named<string>[] {
  if (!ROLE_HOLDERS.some((holder) => holder === kind)) return [];
  return texts(body, 'roles', (item) => (item as { readonly name?: unknown } | null)?.name);
}

/** The texts of a list of a record; `inside` finds one in an item that is none itself. */
function texts(body: unknown, list: string, inside?: (item: unknown) => unknown): Named<string>[] {
  const items = (body as Readonly<Record<string, unknown>> | null)?.[list];
  if (!Array.isArray(items)) return [];
  return items.flatMap((item: unknown, index) => {
    const text = typeof item === 'string' ? item : inside?.(item);
    return typeof text === 'string' && text !== '' ? [{ field: `${list}.${index}`, to: text }] : [];
  });
}
