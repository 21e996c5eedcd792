#!/usr/bin/env -S node --max-semi-space-size=8
// V8 keeps up to 48 MB for what is young; 24 do as well here, and are 14 MB less with 5,000 connections.
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
