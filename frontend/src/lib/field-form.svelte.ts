import { faultsOf, type ProblemError } from '#lib/api/problem.ts';
import { answersOf, collect, type Answers, type Field } from '#lib/schema-form.ts';

/** A form being filled in: what was typed into its fields, and what is wrong with them. */
export class FieldForm {
	/** What is asked for. */
	readonly fields: readonly Field[];
	/** What was typed, by field. */
	answers: Answers;
	/** What is wrong, by field. */
	errors = $state.raw<Record<string, string>>({});

	/** The field that stands for the whole value. */
	readonly #whole: Field | undefined;

	/** Asks for the whole value as `whole`, a field of JSON, where no fields are known. */
	constructor(fields: readonly Field[], whole: Field, initial?: unknown) {
		this.#whole = fields.length > 0 ? undefined : whole;
		this.fields = this.#whole ? [this.#whole] : fields;
		const given = this.#whole && initial !== undefined ? { [whole.name]: initial } : initial;
		this.answers = $state(answersOf(this.fields, given));
	}

	/** What was filled in: `value` is `undefined` where the whole was left empty. `null` where something cannot be read. */
	read(): { value: unknown } | null {
		const { input, errors } = collect(this.fields, this.answers);
		this.errors = errors;
		if (Object.keys(errors).length > 0) return null;
		return { value: this.#whole ? input[this.#whole.name] : input };
	}

	/** Shows what the server said against the fields, whose values it was sent at `root` of the body. */
	refuse(error: ProblemError, root: string): void {
		const faults = faultsOf(error, root);
		const first = Object.entries(faults)[0];
		if (!this.#whole || !first) this.errors = faults;
		else this.errors = { [this.#whole.name]: first[0] ? `${first[0]}: ${first[1]}` : first[1] };
	}
}
