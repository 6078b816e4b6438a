#!/bin/sh
# Starts redis-server, with these arguments, and the users of redis-users.acl beside it. Each may log in with the password
# in its variable: WORKER_PASSWORD for cohere-worker, and so on. Of one without a password, nobody can.
# Redis keeps the SHA-256 of a password alone, and so does the file that is made here: let passwords be long and random.
set -eu
umask 077
users=$(mktemp)
while read -r user name rules; do
  variable=$(printf '%s_PASSWORD' "${name#cohere-}" | tr '[:lower:]' '[:upper:]')
  eval "password=\${$variable:-}"
  if [ -n "$password" ]; then
    rules="#$(printf '%s' "$password" | sha256sum | cut -d ' ' -f 1) $rules"
  fi
  printf '%s %s %s\n' "$user" "$name" "$rules"
done < "$(dirname "$0")/redis-users.acl" > "$users"
unset WORKER_PASSWORD ADMIN_PASSWORD OPERATOR_PASSWORD VIEWER_PASSWORD password
exec redis-server --aclfile "$users" "$@"
