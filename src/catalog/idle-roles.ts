import { didYouMean } from '../parsing.ts';
import { SYSTEM_ROLES } from '../rbac/permissions.ts';

/** What is asked of roles, here and in what manifests add. */
export interface RoleWorld {
  /** The system's apart. */
  hasRecord(role: string): boolean;
  /** Some grant is made to it: it needs no record then. */
  isGranted(role: string): boolean;
  /** A user, group or application has it. */
  isHeld(role: string): boolean;
  /** Names that may have been meant, the system's apart. */
  names(): Iterable<string>;
}

/** Finds roles that give nothing to whoever has them, which a slip of the hand makes: each name is compared once. */
export function createIdleRoles(world: RoleWorld): {
  /** Why somebody has nothing of this role; undefined where it means something. */
  held(role: string): string | undefined;
  /** Why a grant to this role gives nothing. A role that is there may be given to somebody later. */
  granted(role: string): string | undefined;
} {
  const hints = new Map<string, string>();
  const hintFor = (role: string): string => {
    const known = hints.get(role);
    if (known !== undefined) return known;
    const others = [...Object.keys(SYSTEM_ROLES), ...world.names()].filter((name) => name !== role);
    const hint = didYouMean(role, others);
    hints.set(role, hint);
    return hint;
  };
  const isKnown = (role: string) => Object.hasOwn(SYSTEM_ROLES, role) || world.hasRecord(role);
  return {
    held(role) {
      if (isKnown(role) || world.isGranted(role)) return undefined;
      return `the role ${role} gives nothing: it is none of the system's, has no record, and nothing is granted to it.${hintFor(role)}`;
    },
    granted(role) {
      if (isKnown(role) || world.isHeld(role)) return undefined;
      return `the role ${role} is none of the system's, has no record, and nobody has it.${hintFor(role)}`;
    },
  };
}
