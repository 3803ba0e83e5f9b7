/**
 * Loaded before what needs Node 24. The package `node` brings it along, but fetches it in an install script; where npm runs
 * none, an older Node would stop at the first TypeScript file, with an error that says nothing of that. Plain JavaScript, for
 * just that Node.
 */
if (Number.parseInt(process.versions.node, 10) < 24) {
  console.error(
    'Node 24 did not come along: npm was told not to run install scripts. Run npm rebuild node, or use Node 24.',
  )
  process.exit(1)
}
