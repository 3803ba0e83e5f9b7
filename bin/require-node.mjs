/**
 * Loaded before code that needs Node 24. The package `node` downloads Node 24 in an install script. If npm skips it, an older Node
 * would fail at the first TypeScript file with an unclear error. Plain JavaScript, so that the older Node can run it.
 */
if (Number.parseInt(process.versions.node, 10) < 24) {
  console.error(
    `This is Node ${process.versions.node}, and this needs Node 24. npm ci installs it by an install script, which npm did not run: npm rebuild node esbuild`,
  )
  process.exit(1)
}
