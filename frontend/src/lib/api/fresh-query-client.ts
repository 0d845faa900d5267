import { QueryClient, type InvalidateOptions, type InvalidateQueryFilters, type QueryKey } from '@tanstack/svelte-query';

/**
 * A query client whose invalidation holds for first fetches too. The library would keep one that is in progress and may
 * have read the server before the change; here it is started again.
 */
export class FreshQueryClient extends QueryClient {
	override async invalidateQueries<TKey extends QueryKey = QueryKey>(filters?: InvalidateQueryFilters<TKey>, options?: InvalidateOptions): Promise<void> {
		const isMatching = filters?.predicate as ((query: unknown) => boolean) | undefined;
		await this.cancelQueries({
			...(filters as InvalidateQueryFilters | undefined),
			predicate: (query) => query.state.data === undefined && query.state.fetchStatus !== 'idle' && (isMatching?.(query) ?? true)
		});
		return super.invalidateQueries(filters, options);
	}
}
