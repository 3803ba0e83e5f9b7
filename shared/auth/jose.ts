/** What is used of jose, in a module of its own so that loading it late wraps nothing else when it is bundled. */
export { createRemoteJWKSet, jwtVerify } from 'jose'
