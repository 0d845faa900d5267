import { fieldErrors, type ProblemError } from '#lib/api/problem.ts';
import { answersFromInput, parseAnswers, type Answers, type Field } from '#lib/forms/schema-form.ts';

/** State of a form: the entered values and the errors of its fields. */
export class FieldForm {
	/** Fields of the form. */
	readonly fields: readonly Field[];
	/** Entered values, by field. */
	answers: Answers;
	/** Error messages, by field. */
	errors = $state.raw<Record<string, string>>({});

	/** The JSON field for the whole value, if no fields are known. */
	readonly #whole: Field | undefined;

	/** Creates a form. If there are no fields, it has the single JSON field `whole`. */
	constructor(fields: readonly Field[], whole: Field, initial?: unknown) {
		this.#whole = fields.length > 0 ? undefined : whole;
		this.fields = this.#whole ? [this.#whole] : fields;
		const given = this.#whole && initial !== undefined ? { [whole.name]: initial } : initial;
		this.answers = $state(answersFromInput(this.fields, given));
	}

	/** Parses the form. Returns null if a field is invalid; `value` is `undefined` if the JSON field is empty. */
	read(): { value: unknown } | null {
		const { input, errors } = parseAnswers(this.fields, this.answers);
		this.errors = errors;
		if (Object.keys(errors).length > 0) return null;
		return { value: this.#whole ? input[this.#whole.name] : input };
	}

	/** Shows the field errors of a refused request. `root` is the place of the values in its body. */
	refuse(error: ProblemError, root: string): void {
		const faults = fieldErrors(error, root);
		const first = Object.entries(faults)[0];
		if (!this.#whole || !first) this.errors = faults;
		else this.errors = { [this.#whole.name]: first[0] ? `${first[0]}: ${first[1]}` : first[1] };
	}
}
