import Box from '@lucide/svelte/icons/box';
import CircleAlert from '@lucide/svelte/icons/circle-alert';
import CodeXml from '@lucide/svelte/icons/code-xml';
import Flag from '@lucide/svelte/icons/flag';
import GitFork from '@lucide/svelte/icons/git-fork';
import Repeat from '@lucide/svelte/icons/repeat';
import Split from '@lucide/svelte/icons/split';
import SquareArrowRight from '@lucide/svelte/icons/square-arrow-right';
import UserCheck from '@lucide/svelte/icons/user-check';
import WorkflowIcon from '@lucide/svelte/icons/workflow';

/** Icon and label of a kind of step: a module's type, or `race` and `approval` for special forms. */
export function moduleAppearance(kind: string) {
	switch (kind) {
		case 'script':
			return { icon: Box, word: 'node' };
		case 'rawscript':
			return { icon: CodeXml, word: 'code' };
		case 'flow':
			return { icon: WorkflowIcon, word: 'sub-flow' };
		case 'forloopflow':
		case 'whileloopflow':
			return { icon: Repeat, word: kind === 'forloopflow' ? 'for each' : 'while' };
		case 'branchone':
			return { icon: Split, word: 'choice' };
		case 'branchall':
			return { icon: GitFork, word: 'all branches' };
		case 'race':
			return { icon: Flag, word: 'race' };
		case 'approval':
			return { icon: UserCheck, word: 'approval' };
		case 'identity':
			return { icon: SquareArrowRight, word: 'identity' };
		default:
			return { icon: CircleAlert, word: kind };
	}
}
