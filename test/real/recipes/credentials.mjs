/** Credentials that stand in for those of a recipe's module. */
export default () => ({ query: "ticket=2c1f&app_id=A0123" });
