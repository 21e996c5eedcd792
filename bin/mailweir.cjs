#!/usr/bin/env node
// Plain and old JavaScript, so that an old Node can read it and say what it needs.
'use strict'
var major = Number(process.versions.node.split('.')[0])
if (major < 24) {
  process.stderr.write(
    'mailweir needs Node 24 or later; this is ' +
      process.version +
      ' (npm ci installs one for the project: use npm start)\n',
  )
  process.exit(1)
}
import('../mailweir.ts')
