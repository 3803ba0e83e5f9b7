/** Amounts as people read them. */

/** `120000`, `usd`: `$1,200.00`. */
export const formatMoney = (cents: number, currency: string): string =>
  new Intl.NumberFormat('en-US', { style: 'currency', currency }).format(cents / 100)
