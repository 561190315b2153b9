// The login that stands in for Authentik: oidc-provider, a certified implementation, with two people and their groups.
//   node provider.mjs <port> <clients as JSON> <module folder>
import { createRequire } from "node:module";
import { generateKeyPairSync } from "node:crypto";
import { pathToFileURL } from "node:url";

const [port, clients, modules] = process.argv.slice(2);
const entry = createRequire(`${modules}/package.json`).resolve("oidc-provider");
const { Provider } = await import(pathToFileURL(entry));

// Whoever logs in under this name is one of these; the page asks for no password.
const people = {
  ada: { name: "Ada", groups: ["kitestacks-admins", "kitestacks-users"] },
  bob: { name: "Bob", groups: ["kitestacks-users"] },
  eve: { name: "Eve", groups: ["strangers"] },
};
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const key = { ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256", kid: "test" };

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: JSON.parse(clients),
  jwks: { keys: [key] },
  // As Authentik has them: groups and names in `profile`, and all claims in the id token too.
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "preferred_username", "groups"] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  cookies: { keys: ["only-for-tests"] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, preferred_username: id, email: `${id}@example.org`, email_verified: true, ...people[id] }),
  }),
});
provider.listen(Number(port), "127.0.0.1", () => console.log("listening"));
