/** Seeds the catalog: Team per month and per year, and an Enterprise contract. */
import { createPrice, createProduct } from './catalog.ts'
import { createConfiguration } from './portal.ts'
import type { Store } from './store.ts'

export function seedCatalog(store: Store): void {
  const team = createProduct(store, {
    name: 'Octomil Team',
    id: 'prod_octomil_team',
    metadata: { octomil_plan: 'team' },
  })
  const price = { currency: 'usd', product: team.id }
  createPrice(store, {
    ...price,
    unit_amount: 120_000,
    recurring: { interval: 'month' },
    lookup_key: 'octomil_team_monthly',
  })
  createPrice(store, {
    ...price,
    unit_amount: 1_152_000,
    recurring: { interval: 'year' },
    lookup_key: 'octomil_team_annual',
  })
  // Enterprise has no public price: each contract has a separate price without a lookup key.
  const enterprise = createProduct(store, {
    name: 'Octomil Enterprise',
    id: 'prod_octomil_enterprise',
    metadata: { octomil_plan: 'enterprise' },
  })
  createPrice(store, {
    currency: 'usd',
    product: enterprise.id,
    unit_amount: 6_000_000,
    recurring: { interval: 'year' },
    nickname: 'Example contract',
    metadata: { octomil_plan: 'enterprise' },
  })
  createConfiguration(store)
}
