/** The layout of all hosted pages, and their stylesheet. */
import { Html, html } from './html.ts'

/** A page's answer: its content, or a redirect. */
export type PageAnswer = { status: number; body: string; type?: string } | { redirect: string }

interface PageParts {
  title: string
  body: Html
  /** Wide pages have tables or columns. */
  width?: 'narrow' | 'wide'
}

const styleSheetPath = '/local/stripe/style.css'

export const layout = ({ title, body, width = 'wide' }: PageParts): string =>
  html`${new Html('<!doctype html>')}
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${styleSheetPath}">
</head>
<body>
<p class="note" role="note"><strong>Local Stripe, no real money.</strong> This page stands in for Stripe's on this machine; real cards do not work here.</p>
<main class="${width}">${body}</main>
</body>
</html>
`.markup

/** The error of the submitted form, above it. */
export const alert = (message: string | undefined): Html | false =>
  message !== undefined && html`<p class="alert" role="alert">${message}</p>`

export const styleSheet = `
:root {
  --ink: #1a1f36; --soft: #4f566b; --line: #d8dee4; --paper: #fff; --ground: #f6f8fa;
  --act: #4b45c6; --act-ink: #fff; --bad: #b3093c; --good: #1a6b33; --warn: #8a4b00;
  color-scheme: light dark;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #ebeef1; --soft: #a3acba; --line: #414552; --paper: #1b1d24; --ground: #121318;
    --act: #6f69e8; --act-ink: #fff; --bad: #ff8098; --good: #6fd08c; --warn: #f0b45b;
  }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
.note { margin: 0; padding: .6rem 1rem; background: #ffe8b3; color: #4a2b00; text-align: center; font-size: .9rem }
main { margin: 0 auto; padding: 2rem 1rem 4rem }
main.narrow { max-width: 34rem }
main.wide { max-width: 62rem }
section > :first-child { margin-top: 0 }
section > :last-child { margin-bottom: 0 }
ul { list-style: none; margin: 0; padding: 0 }
li + li { border-top: 1px solid var(--line) }
h1 { font-size: 1.4rem; margin: 0 0 1rem }
h2 { font-size: 1.05rem; margin: 0 0 .75rem }
a { color: var(--act) }
section, .card { background: var(--paper); border: 1px solid var(--line); border-radius: .6rem; padding: 1.25rem; margin: 0 0 1.25rem }
.columns { display: grid; gap: 0 2rem; align-items: start }
@media (min-width: 50rem) { .columns { grid-template-columns: 1fr 1fr } }
.price { font-size: 2rem; font-weight: 600; margin: 0 }
.price small { font-size: 1rem; font-weight: 400; color: var(--soft) }
.soft { color: var(--soft) }
.row { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: center; gap: 1rem; padding: .35rem 0 }
.row.total { border-top: 1px solid var(--line); margin-top: .5rem; padding-top: .75rem; font-weight: 600 }
.row > span:first-child { flex: 1 1 0 }
.actions { display: flex; flex-wrap: wrap; gap: .6rem; margin-top: 1rem }
label { display: block; font-weight: 500; font-size: .9rem; margin: .9rem 0 .25rem }
fieldset { border: 0; margin: 0; padding: 0 }
legend { font-weight: 500; font-size: .9rem; padding: 0; margin: .9rem 0 .25rem }
fieldset label { display: flex; gap: .5rem; align-items: baseline; font-weight: 400; font-size: 1rem; margin: .35rem 0 }
input:not([type=radio]) { width: 100%; font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--soft); border-radius: .4rem; padding: .6rem .7rem }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .8rem }
button, .button { font: inherit; font-weight: 600; border-radius: .4rem; border: 1px solid var(--act); background: var(--act); color: var(--act-ink); padding: .6rem 1rem; cursor: pointer; text-decoration: none; display: inline-block }
button.wide { width: 100%; margin-top: 1.25rem }
button.plain, .button.plain { background: transparent; color: inherit; border-color: var(--soft) }
button.bad { background: var(--bad); border-color: var(--bad); color: var(--paper) }
:focus-visible { outline: 3px solid #7a9cff; outline-offset: 2px }
.alert { border: 1px solid var(--bad); color: var(--bad); border-radius: .4rem; padding: .6rem .8rem; margin: 0 0 1rem }
.tag { display: inline-block; font-size: .8rem; font-weight: 600; border: 1px solid currentColor; border-radius: 1rem; padding: 0 .6rem; vertical-align: middle }
.tag.good { color: var(--good) } .tag.bad { color: var(--bad) } .tag.warn { color: var(--warn) }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: .95rem }
th, td { text-align: left; padding: .5rem .75rem .5rem 0; border-bottom: 1px solid var(--line); white-space: nowrap }
details { margin: .5rem 0 } summary { cursor: pointer; font-weight: 500 }
code { font-size: .9em; white-space: nowrap }
code.long { white-space: normal; overflow-wrap: anywhere }
`
