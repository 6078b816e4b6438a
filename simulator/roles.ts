/** The roles that can be assumed, each with its trust: who, and with which external id. */
import { ACCOUNT, OPEN_ROLE, ROLE } from './known.ts';

export interface Role {
  readonly arn: string;
  /** What the trust policy's `sts:ExternalId` condition asks for. Absent: no such condition. */
  readonly externalId?: string | undefined;
  /** The role's maximum session duration in seconds. Default 3600, IAM's own. */
  readonly maxSeconds?: number | undefined;
  /** Accounts and ARNs of principals that may assume it; `*` is anyone. Default: the simulator's account. */
  readonly trusts?: readonly string[] | undefined;
}

export interface Roles {
  find(arn: string): Role | undefined;
  /** Adds a role or replaces the one of the same ARN. */
  set(role: Role): void;
  reset(): void;
}

export function createRoles(extra: readonly Role[] = []): Roles {
  const roles = new Map<string, Role>();
  const reset = () => {
    roles.clear();
    for (const role of [ROLE, OPEN_ROLE, ...extra]) roles.set(role.arn, role);
  };
  reset();
  return { find: (arn) => roles.get(arn), set: (role) => void roles.set(role.arn, role), reset };
}

/** Whether the role's trust lets a principal with that external id in. One given without need is ignored, as by AWS. */
export function trusts(
  role: Role,
  principal: { arn: string; account: string },
  externalId: string | undefined,
): boolean {
  const trusted = role.trusts ?? [ACCOUNT];
  const known = trusted.some((one) => one === '*' || one === principal.account || one === principal.arn);
  return known && (role.externalId === undefined || role.externalId === externalId);
}
