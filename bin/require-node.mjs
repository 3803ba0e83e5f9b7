/**
 * Loaded before what needs Node 24. The package `node` brings it along, but fetches it in an install script; where npm runs
 * none, an older Node would stop at the first TypeScript file, with an error that says nothing of that. Plain JavaScript, for
 * just that Node.
 */
if (Number.parseInt(process.versions.node, 10) < 24) {
  console.error(
    `This is Node ${process.versions.node}, and this needs Node 24. npm ci installs it by an install script, which npm did not run: npm rebuild node esbuild`,
  )
  process.exit(1)
}
