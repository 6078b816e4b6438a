/** Leaves by path: `configuration.region` → `"us-east-1"`. */
export function flatten(value: unknown, path = '', leaves = new Map<string, string>()): Map<string, string> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    for (const [key, part] of Object.entries(value)) flatten(part, path === '' ? key : `${path}.${key}`, leaves);
  } else if (value !== null && value !== undefined) {
    leaves.set(path, Array.isArray(value) || path !== '' ? JSON.stringify(value) : String(value));
  }
  return leaves;
}

export function label(path: string): string {
  return path === '' ? '' : `${path}: `;
}
