export type Leaves = ReadonlyMap<string, string>;

/** Leaves by path: `configuration.region` → `"us-east-1"`. */
export function leavesOf(value: unknown, path = '', leaves = new Map<string, string>()): Leaves {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    for (const [key, part] of Object.entries(value)) leavesOf(part, path === '' ? key : `${path}.${key}`, leaves);
  } else if (value !== null && value !== undefined) {
    leaves.set(path, Array.isArray(value) || path !== '' ? JSON.stringify(value) : String(value));
  }
  return leaves;
}

/** Before a value; nothing for a value without a path. */
export function leafLabel(path: string): string {
  return path === '' ? '' : `${path}: `;
}
